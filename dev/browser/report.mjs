// Runs cases a few at a time, each under a deadline, and prints one line per case in a fixed order.

import { setTimeout as sleep } from "node:timers/promises";

import { Setting } from "./setting.mjs";

/** How long one case may take, its pages and connections included. The longest took 12 s on a busy machine, beside its like. */
const DEADLINE = 60_000;

export class Report {
  #passed = 0;
  #failed = 0;
  #skipped = 0;

  /** Run `cases`, `width` at a time, in the `world` that is a relay and a browser. */
  async run(cases, width, world) {
    const turns = new Turns(width);
    const started = cases.map((each) => ({ name: each.name, reason: turns.take(() => failure(each, world)) }));
    for (const { name, reason } of started) this.#print(name, await reason);
  }

  failed(name, reason) {
    this.#failed += 1;
    console.log(`FAILED  ${name}: ${reason}`);
  }

  /** Print the final line. True when nothing failed. */
  finish() {
    console.log(`browser: ${this.#passed} passed, ${this.#failed} failed, ${this.#skipped} skipped`);
    return this.#failed === 0;
  }

  #print(name, reason) {
    if (reason) return this.failed(name, reason);
    this.#passed += 1;
    console.log(`ok      ${name}`);
  }
}

/** Why a case fails, or undefined when it does not. */
async function failure({ name, run }, world) {
  const setting = new Setting(name.replace(/[^a-z]+/g, "-"), world);
  const over = new AbortController();
  const late = sleep(DEADLINE, undefined, { signal: over.signal }).then(() => {
    throw new Error(`not within ${DEADLINE / 1_000} s`);
  });
  try {
    await Promise.race([run(setting), late]);
  } catch (error) {
    return `${setting.at}: ${error.message}`;
  } finally {
    over.abort();
    late.catch(() => {});
    await setting.close();
  }
}

/** Lets so many run at a time; the others wait in order. */
class Turns {
  #free;
  #waiting = [];

  constructor(width) {
    this.#free = width;
  }

  async take(run) {
    if (this.#free > 0) this.#free -= 1;
    else await new Promise((resolve) => this.#waiting.push(resolve));
    try {
      return await run();
    } finally {
      const next = this.#waiting.shift();
      if (next) next();
      else this.#free += 1;
    }
  }
}
