// Published JavaScript clients, in Chromium, as referees of a relay.
//
// Starts a relay binary and a browser, lets clients that other people wrote and published talk to each other through the
// relay, and compares what comes out with what went in. `cases` holds one file per promise; `page` is what runs in the
// browser; `client` and `setting` are how a case drives it; `report` runs cases.

import { parseArgs } from "node:util";

import { all } from "./cases.mjs";
import { Chromium } from "./chromium.mjs";
import { Relay } from "./relay.mjs";
import { Report } from "./report.mjs";
import { Site } from "./site.mjs";

const USAGE = `node run.mjs --relay PATH [flag…]

--relay PATH      the binary to start, on a free port of 127.0.0.1
--chromium PATH   the browser, else /usr/bin/chromium
--only TEXT       only cases whose line contains this
--list            print the cases and stop
--width N         cases at a time, else 4
--console         print what the libraries say and what WebSockets carry`;

const OPTIONS = {
  relay: { type: "string" },
  chromium: { type: "string", default: "/usr/bin/chromium" },
  only: { type: "string", default: "" },
  list: { type: "boolean" },
  width: { type: "string", default: "4" },
  console: { type: "boolean" },
  help: { type: "boolean", short: "h" },
};

process.exitCode = await main().catch((error) => {
  console.error(`browser: ${error.message}`);
  return 1;
});

async function main() {
  const args = parse();
  if (!args) return 2;
  const cases = all().filter(({ name }) => name.includes(args.only));
  if (args.list) {
    for (const { name } of cases) console.log(name);
    return 0;
  }

  const open = [];
  try {
    const relay = await Relay.start(args.relay);
    open.push(relay);
    const site = await Site.start();
    open.push(site);
    const chromium = await Chromium.start(args.chromium, site, args.console);
    open.push(chromium);

    const report = new Report();
    await report.run(cases, Number(args.width), { relay, chromium });
    if (relay.exited) report.failed("the relay itself", `ended with ${relay.exited}`);
    const passed = report.finish();
    if (passed) relay.forget();
    else console.log(`the relay's output: ${relay.log}`);
    return passed ? 0 : 1;
  } finally {
    for (const each of open.reverse()) await each.stop();
  }
}

function parse() {
  try {
    const { values } = parseArgs({ options: OPTIONS });
    if (values.help) console.log(USAGE);
    else if (values.relay || values.list) return values;
    else console.error(USAGE);
  } catch (error) {
    console.error(`${error.message}\n\n${USAGE}`);
  }
}
