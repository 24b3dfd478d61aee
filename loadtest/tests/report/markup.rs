//! A small strict reader of markup: what a browser would repair is an error here.

/// Elements that have no end.
const VOID: [&str; 2] = ["meta", "br"];

/// Attributes of the whole page, when every element ends where it should, every attribute is
/// quoted, and every `<`, `>` and `&` of a text is escaped.
pub fn check(page: &str) -> Result<Vec<(String, String)>, String> {
    let mut rest = page
        .strip_prefix("<!DOCTYPE html>")
        .ok_or("no document type")?;
    let mut open: Vec<String> = Vec::new();
    let mut attributes = Vec::new();
    while let Some((text, after)) = rest.split_once('<') {
        if open.last().is_none_or(|name| name != "style") {
            escaped(text)?;
        }
        let (tag, after) = tag(after)?;
        rest = after;
        if let Some(name) = tag.strip_prefix('/') {
            let opened = open.pop().unwrap_or_default();
            if opened != name {
                return Err(format!("</{name}> ends <{opened}>"));
            }
            continue;
        }
        let (name, list) = tag.split_once(' ').unwrap_or((tag, ""));
        if name.is_empty() || !name.chars().all(|letter| letter.is_ascii_alphanumeric()) {
            return Err(format!("<{tag}> is no tag"));
        }
        attributes.extend(listed(list)?);
        if !VOID.contains(&name) {
            open.push(name.to_owned());
        }
    }
    escaped(rest)?;
    if open.is_empty() {
        Ok(attributes)
    } else {
        Err(format!("not ended: {open:?}"))
    }
}

/// What is between `<` and the `>` that is in no quotes.
fn tag(text: &str) -> Result<(&str, &str), String> {
    let mut quoted = false;
    for (place, letter) in text.char_indices() {
        match letter {
            '"' => quoted = !quoted,
            '<' => return Err(format!("`<` within a tag: {}", &text[..place])),
            '>' if !quoted => return Ok((&text[..place], &text[place + 1..])),
            _ => {}
        }
    }
    Err("a tag without an end".to_owned())
}

fn listed(mut list: &str) -> Result<Vec<(String, String)>, String> {
    let mut attributes: Vec<(String, String)> = Vec::new();
    while !list.is_empty() {
        let Some((name, after)) = list.split_once("=\"") else {
            // Alone, as `open` is.
            for name in list.split(' ') {
                attributes.push((name.to_owned(), String::new()));
            }
            break;
        };
        let (value, after) = after.split_once('"').ok_or("a value without an end")?;
        escaped(value)?;
        if !name
            .chars()
            .all(|letter| letter.is_ascii_alphanumeric() || letter == '-')
        {
            return Err(format!("{name:?} is no attribute"));
        }
        if attributes.iter().any(|(seen, _)| seen == name) {
            return Err(format!("{name} twice"));
        }
        attributes.push((name.to_owned(), value.to_owned()));
        list = after.trim_start();
    }
    Ok(attributes)
}

fn escaped(text: &str) -> Result<(), String> {
    if text.contains(['<', '>']) {
        return Err(format!("not escaped: {text}"));
    }
    for part in text.split('&').skip(1) {
        let entity = part.split(';').next().unwrap_or_default();
        if !["amp", "lt", "gt", "quot"].contains(&entity) {
            return Err(format!("no entity: &{part}"));
        }
    }
    Ok(())
}

#[test]
fn the_reader_can_fail() {
    let page = |body: &str| format!("<!DOCTYPE html>{body}");
    for good in [
        "<p>a &amp; b</p>",
        "<g><line x1=\"0\"></line></g>",
        "<details open></details>",
    ] {
        check(&page(good)).unwrap();
    }
    for bad in [
        "<p>",
        "<p></q>",
        "<p>a & b</p>",
        "a > b",
        "<p a=\"&\"></p>",
        "<p a=b\"></p>",
        "<p a=\"1\" a=\"2\"></p>",
        "</p>",
    ] {
        assert!(check(&page(bad)).is_err(), "{bad}");
    }
    assert!(check("<p></p>").is_err());
}
