// What @moq/lite and @kixelated/moq have in common: the page gets a track for every subscription and writes to each;
// frames are bytes and nothing else.

/** A session of one of these libraries; `Moq` is what the library exports. */
export class Session {
  #connection;
  #moq;

  constructor(connection, version, moq) {
    this.#connection = connection;
    this.version = version;
    this.#moq = moq;
  }

  publish(path, track) {
    const broadcast = new Published(track, this.#moq);
    this.#connection.publish(this.#moq.Path.from(path), broadcast.broadcast);
    return broadcast;
  }

  announced(prefix) {
    return this.#connection.announced(this.#moq.Path.from(prefix));
  }

  subscribe(path, track) {
    return new Watched(this.#connection.consume(this.#moq.Path.from(path)), track);
  }

  close() {
    this.#connection.close();
  }
}

class Published {
  broadcast;
  #moq;
  #tracks = new Set();
  /** The copies of a group, by sequence. */
  #groups = new Map();

  constructor(track, moq) {
    this.#moq = moq;
    this.broadcast = new moq.Broadcast();
    this.#accept(track);
  }

  get wanted() {
    return this.#tracks.size > 0;
  }

  write(sequence, { payload }) {
    if (!this.#groups.has(sequence)) {
      const copies = [...this.#tracks].map((track) => {
        const group = new this.#moq.Group(sequence);
        track.writeGroup(group);
        return group;
      });
      this.#groups.set(sequence, copies);
    }
    for (const group of this.#groups.get(sequence)) group.writeFrame(payload);
  }

  finish(sequence) {
    for (const group of this.#groups.get(sequence)) group.close();
  }

  close() {
    this.broadcast.close();
    for (const track of this.#tracks) track.close();
  }

  async #accept(name) {
    for (;;) {
      const request = await this.broadcast.requested();
      if (!request) return;
      const { track } = request;
      if (track.name !== name) {
        track.close(new Error("no such track"));
        continue;
      }
      this.#tracks.add(track);
      track.closed.finally(() => this.#tracks.delete(track));
    }
  }
}

class Watched {
  #track;

  constructor(broadcast, track) {
    this.#track = broadcast.subscribe(track, 0);
  }

  async group() {
    const group = await this.#track.nextGroup();
    return (
      group && {
        sequence: group.sequence,
        async read() {
          const payload = await group.readFrame();
          return payload && { payload };
        },
      }
    );
  }

  close() {
    this.#track.close();
  }
}
