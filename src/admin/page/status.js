// Asks for the status every two seconds and shows it, with rates since the answer before.
"use strict";

const EVERY_MS = 2000;
const STATES = ["received", "delivered", "rejected", "refused", "dropped", "sampled", "waiting", "stored"];
const whole = new Intl.NumberFormat("en");
const short = new Intl.NumberFormat("en", { maximumSignificantDigits: 3, notation: "compact" });
const at = (id) => document.getElementById(id);
const sum = (list, of) => list.reduce((total, one) => total + of(one), 0);

const bytes = (n) => {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  const power = n < 1 ? 0 : Math.min(Math.floor(Math.log2(n) / 10), units.length - 1);
  return `${(n / 1024 ** power).toFixed(power && n / 1024 ** power < 100 ? 1 : 0)} ${units[power]}`;
};

const age = (seconds) => {
  const units = [["d", 86400], ["h", 3600], ["min", 60], ["s", 1]];
  const first = Math.max(units.findIndex(([, size]) => seconds >= size), 0);
  const [name, size] = seconds < 1 ? units[3] : units[first];
  const rest = units[first + 1];
  const more = seconds >= 60 && rest ? ` ${Math.floor((seconds % size) / rest[1])} ${rest[0]}` : "";
  return `${Math.floor(seconds / size)} ${name}${more}`;
};

const time = (seconds) => (seconds < 1 ? `${+(seconds * 1000).toPrecision(2)} ms` : `${seconds} s`);

const element = (name, text, className = "") =>
  Object.assign(document.createElement(name), { textContent: text, className });

// A cell is a text, or a text and the class that says how it is to be taken.
const cell = (content) => element("td", ...[content].flat());

function showTable(id, heads, rows, none) {
  const head = element("tr", "");
  head.append(...heads.map((text) => Object.assign(element("th", text), { scope: "col" })));
  const body = rows.map((cells) => {
    const row = element("tr", "");
    row.append(...cells.map(cell));
    return row;
  });
  at(id).replaceChildren(...(rows.length ? [head, ...body] : [element("caption", none)]));
}

// The least bound that the given share of the calls since the last answer kept.
function quantile(now, before, share) {
  const count = now.count - before.count;
  if (count <= 0) return "–";
  const place = now.up_to.findIndex((upTo, i) => upTo - before.up_to[i] >= share * count);
  return place < 0 ? `> ${time(now.bounds_seconds.at(-1))}` : `≤ ${time(now.bounds_seconds[place])}`;
}

function showBoxes(id, boxes) {
  at(id).replaceChildren(...boxes.map(([name, value, className]) => {
    const box = element("div", "");
    box.append(element("dt", name), element("dd", value, className));
    return box;
  }));
}

function showFigures(now, before) {
  const elapsed = before && now.uptime_seconds - before.uptime_seconds;
  const rate = (of, unit) => (elapsed > 0 ? unit((of(now) - of(before)) / elapsed) : "–");
  const perSecond = (n) => `${short.format(n)} /s`;
  const ledger = (state) => (status) => sum(status.ledger, (one) => one[state]);
  const calls = (status) => sum(Object.values(status.calls), (n) => n);
  const figures = [
    ["items in", rate(ledger("received"), perSecond)],
    ["items delivered", rate(ledger("delivered"), perSecond)],
    ["calls", rate(calls, perSecond)],
    ["not accepted", rate((status) => calls(status) - status.calls.accepted, perSecond)],
    ["bytes in", rate((status) => status.received_bytes, (n) => `${bytes(n)}/s`)],
    ["call time, 50%", before ? quantile(now.call_duration, before.call_duration, 0.5) : "–"],
    ["call time, 95%", before ? quantile(now.call_duration, before.call_duration, 0.95) : "–"],
    ["exports in flight", whole.format(now.exports_in_flight)],
    ["requests held", `${bytes(now.memory_used_bytes)} of ${bytes(now.memory_limit_bytes)}`],
    ["memory", bytes(now.memory_rss_bytes)],
    ["cores used", rate((status) => status.cpu_seconds, (n) => n.toFixed(2))],
    ["senders", whole.format(now.connections.senders)],
    ["to collectors", whole.format(now.connections.collectors)],
    ["log lines lost", whole.format(now.log_lines_lost)],
    ["acknowledges", now.setup.acknowledge],
    ["up", age(now.uptime_seconds)],
  ];
  showBoxes("figures", figures);
}

function showLedger(ledger) {
  const rows = ledger.map((one) => [one.signal, ...STATES.map((state) => whole.format(one[state]))]);
  showTable("ledger", ["signal", ...STATES], rows, "");
  const open = ledger.filter((one) => one.received !== sum(STATES.slice(1), (state) => one[state]));
  at("balance").textContent = open.length
    ? `It does not add up: ${open.map((one) => one.signal).join(", ")}.`
    : "It adds up.";
  at("balance").className = open.length ? "bad" : "good";
}

// Written only where it changed: a screen reader reads every write aloud.
function showPhase(sentence, good) {
  if (at("phase").textContent !== sentence) at("phase").textContent = sentence;
  at("phase").className = good ? "good" : "bad";
}

const worth = { open: "bad", half_open: "fair", closed: "good", broken: "bad", recovering: "fair", working: "good" };
const state = (name) => name.replaceAll("_", "-");
const since = (now, one) => age(Math.max(now.unix_seconds - one.since_unix_seconds, 0));
const onShards = (now, count) => (count < now.shards.length ? ` on ${count} of ${now.shards.length} shards` : "");
const percent = (millionths) => `${+(millionths / 1e4).toPrecision(3)} %`;

// What a glance should find, worst first; nothing where all is well.
function troublesOf(now) {
  const troubles = [];
  const spool = now.spool;
  if (spool?.state === "broken") troubles.push([`The spool is broken${onShards(now, spool.state_shards)}.`, "bad"]);
  for (const one of now.collectors) {
    if (one.breaker === "open") {
      troubles.push([`The breaker of ${one.endpoint} is open${onShards(now, one.breaker_shards)}.`, "bad"]);
    }
    if (one.healthy === false) troubles.push([`${one.endpoint} is unhealthy.`, "bad"]);
  }
  for (const one of now.collectors.filter((it) => it.breaker === "half_open")) {
    troubles.push([`The breaker of ${one.endpoint} is half-open${onShards(now, one.breaker_shards)}.`, "fair"]);
  }
  for (const one of now.degradation) {
    const how = ["", ...one.strategies].join(", ").replace(",", ":");
    troubles.push([`${one.signal} degraded${onShards(now, one.shards)}${how}.`, "fair"]);
  }
  if (spool?.state === "recovering") troubles.push(["The spool looks through what an earlier run left.", "fair"]);
  return troubles;
}

// Written only where it changed, as the phase is.
function showTroubles(now) {
  const troubles = troublesOf(now);
  const text = troubles.flat().join("\n");
  if (at("troubles").dataset.text === text) return;
  at("troubles").dataset.text = text;
  at("troubles").replaceChildren(...troubles.map(([words, className]) => element("li", words, className)));
}

function showCollectors(now) {
  const health = (healthy) => (healthy === null ? "–" : [healthy ? "healthy" : "unhealthy", healthy ? "good" : "bad"]);
  showTable("collectors", ["collector", "role", "breaker", "for", "health", "last error"],
    now.collectors.map((one) => [one.endpoint, one.role,
      [state(one.breaker) + (one.breaker === "closed" ? "" : onShards(now, one.breaker_shards)), worth[one.breaker]],
      since(now, one), health(one.healthy), [one.error ?? "–", "long"]]),
    "None is configured: what comes in is taken by the collector inside this process.");
}

function showDegradation(now) {
  showTable("degradation", ["signal", "strategies", "for", "kept", "why"],
    now.degradation.map((one) => [one.signal,
      [one.strategies.join(", ") + onShards(now, one.shards), "fair"],
      since(now, one), percent(one.kept_millionths), [one.why, "long"]]),
    "No signal is degraded.");
}

function showSpool(now) {
  const spool = now.spool;
  at("spool-state").textContent = !spool ? "There is none."
    : `${spool.directory}: ${spool.state}${spool.state === "working" ? "" : onShards(now, spool.state_shards)}`
      + ` for ${since(now, spool)}${spool.error ? `: ${spool.error}` : ""}`;
  at("spool-state").className = spool ? worth[spool.state] : "";
  showBoxes("spool", !spool ? [] : [
    ["on disk", `${bytes(spool.bytes)} of ${bytes(spool.bytes_max)}`],
    ["requests", whole.format(spool.records)],
    ["oldest", spool.records ? age(spool.oldest_age_seconds) : "–"],
    ["files", whole.format(spool.segments)],
    ["items replayed", whole.format(spool.replayed_items)],
    ["damaged requests", whole.format(spool.damaged_records), spool.damaged_records ? "bad" : ""],
  ]);
}

function show(now, before) {
  at("version").textContent = now.version;
  document.title = `otlp: ${now.phase}`;
  showPhase(now.sentence, now.phase === "ready");
  showFigures(now, before);
  showLedger(now.ledger);
  showTroubles(now);
  showCollectors(now);
  showDegradation(now);
  showSpool(now);
  showTable("shards", ["shard", "received", "waiting", "stored", "senders", "requests held"],
    now.shards.map((one) => [one.shard, whole.format(one.received), whole.format(one.waiting),
      whole.format(one.stored), whole.format(one.senders), bytes(one.memory_used_bytes)]),
    "None runs.");
}

async function run(before) {
  let now = before;
  try {
    const answer = await fetch("api/status", { cache: "no-store" });
    if (!answer.ok) throw new Error(`answered ${answer.status}`);
    now = await answer.json();
    // A process that was started anew counts from 0.
    const same = before && now.uptime_seconds >= before.uptime_seconds;
    show(now, same ? before : undefined);
  } catch (error) {
    showPhase(`no answer; what is shown may be old (${error.message})`, false);
  }
  setTimeout(run, EVERY_MS, now);
}

run();
