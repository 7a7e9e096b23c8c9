// The browser: one process, a page for every client.

import { chromium } from "playwright-core";

import { Client } from "./client.mjs";

/** QUIC stays on, for WebTransport; nothing else talks to anybody. */
const FLAGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--no-proxy-server",
];

export class Chromium {
  #browser;
  #context;
  #site;
  #verbose;

  /** Start `executable` with a new profile, which goes with it. */
  static async start(executable, site, verbose) {
    const self = new Chromium();
    self.#site = site;
    self.#verbose = verbose;
    self.#browser = await chromium.launch({ executablePath: executable, headless: true, args: FLAGS });
    self.#context = await self.#browser.newContext();
    return self;
  }

  /** A page with a client of the seat's library that is not connected yet. */
  async client(seat) {
    const page = await this.#context.newPage();
    if (this.#verbose) follow(page, seat);
    await page.goto(this.#site.page(seat.library));
    return new Client(page);
  }

  async stop() {
    await this.#browser.close();
  }
}

/** Print what a page says and what it sends and gets on WebSockets. */
function follow(page, seat) {
  const print = (...words) => console.log(" ", String(seat), ...words);
  page.on("console", (message) => print(message.type(), message.text()));
  page.on("websocket", (socket) => {
    print("opens", socket.url());
    socket.on("framesent", ({ payload }) => print("sends", hex(payload)));
    socket.on("framereceived", ({ payload }) => print("gets", hex(payload)));
    socket.on("socketerror", (error) => print("fails", error));
    socket.on("close", () => print("closes"));
  });
}

function hex(payload) {
  const bytes = Buffer.from(payload);
  return `${bytes.subarray(0, 48).toString("hex")}${bytes.length > 48 ? `… ${bytes.length} bytes` : ""}`;
}
