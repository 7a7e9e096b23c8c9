// @moq/net: a track is written once and the library copies it to whoever subscribes; frames have timestamps.

import { Broadcast, Connection, Path, Time } from "@moq/net";

import { serve } from "./client.js";

serve({
  async connect(url, props) {
    return new Session(await Connection.connect(url, props));
  },
});

class Session {
  #connection;

  constructor(connection) {
    this.#connection = connection;
  }

  get version() {
    return `${this.#connection.version} ${this.#connection.transport}`;
  }

  publish(path, track) {
    const broadcast = new Published(track);
    this.#connection.publish(Path.from(path), broadcast.producer);
    return broadcast;
  }

  announced(prefix) {
    const announced = this.#connection.announced(Path.from(prefix));
    return {
      async next() {
        const event = await announced.next();
        return event && { path: Path.join(Path.from(prefix), event.path), active: event.active };
      },
    };
  }

  subscribe(path, track) {
    return new Watched(this.#connection.consume(Path.from(path)), track);
  }

  close() {
    this.#connection.close();
  }
}

class Published {
  producer = new Broadcast.Producer();
  #track;
  #groups = new Map();

  constructor(track) {
    this.#track = this.producer.createTrack(track);
  }

  get wanted() {
    return this.#track.used.peek();
  }

  write(sequence, { payload, millis }) {
    if (!this.#groups.has(sequence)) {
      const group = this.#track.appendGroup();
      if (group.sequence !== sequence) throw new Error(`the library numbers group ${sequence} ${group.sequence}`);
      this.#groups.set(sequence, group);
    }
    this.#groups.get(sequence).writeFrame({ payload, timestamp: Time.Timestamp.fromMillis(millis) });
  }

  finish(sequence) {
    this.#groups.get(sequence).close();
  }

  /** The library ends the announcement with the broadcast, but not its tracks. */
  close() {
    this.#track.close();
    this.producer.close();
  }
}

class Watched {
  #broadcast;
  #track;

  constructor(broadcast, track) {
    this.#broadcast = broadcast;
    this.#track = broadcast.track(track).subscribe();
  }

  async group() {
    const group = await this.#track.recvGroup();
    return (
      group && {
        sequence: group.sequence,
        async read() {
          const frame = await group.readFrame();
          return frame && { payload: frame.payload, millis: frame.timestamp.asMillis() };
        },
      }
    );
  }

  close() {
    this.#track.close();
    this.#broadcast.close();
  }
}
