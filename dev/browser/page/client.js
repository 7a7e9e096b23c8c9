// One client in one page, as Node drives it: `globalThis.client`. What a library is like is in the file named after it.

import { difference, frame, TRACK } from "./content.js";

/** Put a client of `library` where Node finds it. */
export function serve(library) {
  globalThis.client = new Client(library);
}

class Client {
  #library;
  #session;
  #announced;
  #watched;
  /** Groups that are being read, by sequence. */
  #reading = new Map();
  #broadcast;
  #take;

  constructor(library) {
    this.#library = library;
  }

  /** Connect through one door, or with both open at once. Returns what was negotiated. */
  async connect(url, door) {
    const props = { websocket: { enabled: door !== "wt", delay: 0 } };
    // No library has an option for this: it is what a browser without WebTransport looks like.
    if (door === "ws") delete globalThis.WebTransport;
    try {
      this.#session = await this.#library.connect(new URL(url), props);
    } catch (error) {
      // One error for every door that was tried.
      throw new Error((error.errors ?? [error]).join("; "));
    }
    return this.#session.version;
  }

  /** Close the session, as a page does that is done. */
  leave() {
    this.#session.close();
  }

  /** What a URL answers to a page of this origin. */
  async get(url) {
    const answer = await fetch(url);
    if (!answer.ok) throw new Error(`${url} answers ${answer.status}`);
    return answer.text();
  }

  // Publishing.

  announce(path, take) {
    this.#take = take;
    this.#broadcast = this.#session.publish(path, TRACK);
  }

  /** End the broadcast; the session stays. */
  end() {
    this.#broadcast.close();
  }

  /** Wait until somebody, or nobody, wants the track. */
  async wanted(want) {
    while (this.#broadcast.wanted !== want) await new Promise((resolve) => setTimeout(resolve, 10));
  }

  /** Write these frames of a group; the first opens it. */
  write(sequence, indexes) {
    for (const index of indexes) this.#broadcast.write(sequence, frame(this.#take, sequence, index));
  }

  finish(sequence) {
    this.#broadcast.finish(sequence);
  }

  // Watching.

  discover(prefix) {
    this.#announced = this.#session.announced(prefix);
  }

  /** The next change under the prefix: a path and whether it is there. */
  async change() {
    const change = await this.#announced.next();
    if (!change) throw new Error("the announcements ended");
    return change;
  }

  watch(path) {
    this.#watched = this.#session.subscribe(path, TRACK);
  }

  /** Expect these frames of a group; the first takes the next group of the track. */
  async read(take, sequence, indexes, timed) {
    for (const index of indexes) {
      const group = this.#reading.get(sequence) ?? (await this.#open(sequence));
      const got = await group.read();
      const place = `group ${sequence} frame ${index}`;
      if (!got) throw new Error(`${place}: the group ended`);
      const problem = difference(timed ? got : { payload: got.payload }, frame(take, sequence, index));
      if (problem) throw new Error(`${place}: ${problem}`);
    }
  }

  /** Pass over what comes before this group. */
  async skip(sequence) {
    for (;;) {
      const group = await this.#watched.group();
      if (!group) throw new Error(`group ${sequence}: the track ended`);
      if (group.sequence > sequence) throw new Error(`group ${group.sequence} instead of ${sequence}`);
      if (group.sequence === sequence) return void this.#reading.set(sequence, group);
    }
  }

  /** Expect the end of a group that was read. */
  async finished(sequence) {
    if (await this.#reading.get(sequence).read()) throw new Error(`group ${sequence}: more than was written`);
    this.#reading.delete(sequence);
  }

  /** Wait until the track ends; returns the error if that is how. */
  async over() {
    try {
      const group = await this.#watched.group();
      if (!group) return "";
      throw new Error(`group ${group.sequence} instead of an end`);
    } catch (error) {
      return String(error?.message ?? error);
    }
  }

  unwatch() {
    this.#watched.close();
    this.#reading.clear();
  }

  async #open(sequence) {
    const group = await this.#watched.group();
    if (!group) throw new Error(`group ${sequence}: the track ended`);
    if (group.sequence !== sequence) throw new Error(`group ${group.sequence} instead of ${sequence}`);
    this.#reading.set(sequence, group);
    return group;
  }
}
