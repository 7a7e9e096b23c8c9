// A relay process under test: started on a free port, stopped at the end.

import { spawn } from "node:child_process";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { openSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

/** How long a relay may take until it answers over HTTP. */
const READY = 10_000;

export class Relay {
  /** Where QUIC and HTTP are, as `127.0.0.1:4443`. */
  address;
  /** Where the relay's own words are. */
  log;
  /** The exit status, should the relay have ended by itself. */
  exited;
  #process;

  /** Start `binary` with a certificate for localhost and everything public, and wait until it is ready. */
  static async start(binary) {
    const relay = new Relay();
    const port = await freePort();
    relay.address = `127.0.0.1:${port}`;
    relay.log = join(tmpdir(), `browser-relay-${port}.log`);
    const output = openSync(relay.log, "w");
    const args = ["--server-listen", relay.address, "--server-tls-generate", "localhost", "--auth-public", ""];
    relay.#process = spawn(binary, args, { stdio: ["ignore", output, output] });
    relay.#process.once("error", (error) => (relay.exited = error.message));
    relay.#process.once("exit", (code, signal) => (relay.exited = signal ?? `status ${code}`));
    // Whatever ends this program, the relay goes with it.
    process.once("exit", () => relay.#process.kill());
    for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => process.exit(1));
    await relay.#ready();
    return relay;
  }

  /** The URL of a session below this path. `http` makes a client pin the relay's certificate. */
  url(path = "") {
    return `http://${this.address}/${path}`;
  }

  async stop() {
    if (this.exited) return;
    this.#process.kill();
    await once(this.#process, "exit");
  }

  /** Remove what the relay said, once nobody needs it. */
  forget() {
    rmSync(this.log);
  }

  async #ready() {
    const deadline = Date.now() + READY;
    while (Date.now() < deadline) {
      if (this.exited) throw new Error(`the relay ended at once with ${this.exited}, see ${this.log}`);
      const answer = await fetch(this.url("certificate.sha256")).catch(() => undefined);
      if (answer?.ok) return;
      await sleep(50);
    }
    throw new Error(`the relay does not answer GET /certificate.sha256, see ${this.log}`);
  }
}

/** A port that is free for UDP and for TCP, as far as one can know. */
async function freePort() {
  for (let attempt = 0; attempt < 16; attempt++) {
    const tcp = createServer().listen(0, "127.0.0.1");
    await once(tcp, "listening");
    const { port } = tcp.address();
    const udp = createSocket("udp4").bind(port, "127.0.0.1");
    const free = await once(udp, "listening").then(() => true, () => false);
    if (free) udp.close();
    tcp.close();
    if (free) return port;
  }
  throw new Error("no port is free for both UDP and TCP");
}
