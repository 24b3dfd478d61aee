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

const element = (name, text) => Object.assign(document.createElement(name), { textContent: text });

function showTable(id, heads, rows, none) {
  const head = element("tr", "");
  head.append(...heads.map((text) => Object.assign(element("th", text), { scope: "col" })));
  const body = rows.map((cells) => {
    const row = element("tr", "");
    row.append(...cells.map((text) => element("td", text)));
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
  at("figures").replaceChildren(...figures.map(([name, value]) => {
    const box = element("div", "");
    box.append(element("dt", name), element("dd", value));
    return box;
  }));
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

function show(now, before) {
  at("version").textContent = now.version;
  document.title = `otlp: ${now.phase}`;
  showPhase(now.sentence, now.phase === "ready");
  showFigures(now, before);
  showLedger(now.ledger);
  showTable("collectors", ["endpoint", "breaker"],
    now.collectors.map((one) => [one.endpoint, one.breaker]),
    "None is configured: what comes in is taken by the collector inside this process.");
  showTable("shards", ["shard", "received", "waiting", "senders", "requests held"],
    now.shards.map((one) => [one.shard, whole.format(one.received), whole.format(one.waiting),
      whole.format(one.senders), bytes(one.memory_used_bytes)]), "None runs.");
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
