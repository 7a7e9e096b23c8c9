// What a case is about, and the clients it has: publishers and viewers of a broadcast that no other case knows.

import { FRAMES } from "./page/content.js";

/** The places of a whole group. */
export const WHOLE = [...Array(FRAMES).keys()];

export class Setting {
  /** The prefix that the case has for itself. */
  prefix;
  /** The name of its broadcast. */
  name;
  /** What the case is at, for when its time is over. */
  at = "start";
  relay;
  #chromium;
  #clients = [];

  constructor(prefix, { relay, chromium }) {
    this.prefix = prefix;
    this.name = `${prefix}/camera`;
    this.relay = relay;
    this.#chromium = chromium;
  }

  /** A connected client in a page of its own. */
  async client(seat, path) {
    this.at = `${seat} connects`;
    const client = await this.#chromium.client(seat);
    this.#clients.push(client);
    const version = await client.connect(this.relay.url(path), seat.door);
    if (seat.version && version !== seat.version) throw new Error(`${seat} got ${version} instead of ${seat.version}`);
    return client;
  }

  /** A publisher that has announced the broadcast. */
  async publisher(seat) {
    const publisher = await this.client(seat);
    await publisher.announce(this.name, 1);
    return publisher;
  }

  /** A viewer that looks for whatever is under the prefix. */
  async viewer(seat) {
    const viewer = await this.client(seat);
    await viewer.discover(this.prefix);
    return viewer;
  }

  /** The publisher, and a viewer that found the broadcast and whose subscription has reached the publisher. */
  async live(publishing, watching) {
    const publisher = await this.publisher(publishing);
    const viewer = await this.viewer(watching);
    await this.reach(publisher, viewer);
    return { publisher, viewer };
  }

  /** Let `viewer` find the broadcast and watch it, until the publisher knows. */
  async reach(publisher, viewer) {
    await this.found(viewer);
    this.at = "the subscription reaches the publisher";
    await viewer.watch(this.name);
    await publisher.wanted(true);
  }

  async found(viewer) {
    this.at = "the broadcast is announced";
    await expect(viewer, { path: this.name, active: true });
  }

  async gone(viewer) {
    this.at = "the announcement goes";
    await expect(viewer, { path: this.name, active: false });
  }

  /** One whole group from the publisher to each of these viewers. */
  async group(publisher, viewers, sequence, { take = 1, timed = false } = {}) {
    this.at = `group ${sequence} arrives`;
    await publisher.write(sequence, WHOLE);
    await publisher.finish(sequence);
    const arrive = async (viewer) => {
      await viewer.read(take, sequence, WHOLE, timed);
      await viewer.finished(sequence);
    };
    await Promise.all(viewers.map(arrive));
  }

  async close() {
    await Promise.allSettled(this.#clients.map((client) => client.close()));
  }
}

async function expect(viewer, want) {
  const got = await viewer.change();
  if (got.path !== want.path || got.active !== want.active) throw new Error(`${told(got)} instead of ${told(want)}`);
}

function told({ path, active }) {
  return `"${path}" is ${active ? "there" : "gone"}`;
}
