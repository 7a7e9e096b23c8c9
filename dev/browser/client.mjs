// A client as seen from outside its page.

/** What `page/client.js` does, by the same names. */
const METHODS = [
  ...["connect", "leave", "get"],
  ...["announce", "end", "wanted", "write", "finish"],
  ...["discover", "change", "watch", "skip", "read", "finished", "over", "unwatch"],
];

export class Client {
  #page;

  static {
    for (const method of METHODS) {
      this.prototype[method] = function (...args) {
        return this.#run(method, args);
      };
    }
  }

  constructor(page) {
    this.#page = page;
  }

  /** Close the page, as somebody does who closes the tab. */
  async close() {
    await this.#page.close();
  }

  async #run(method, args) {
    try {
      return await this.#page.evaluate(([method, args]) => globalThis.client[method](...args), [method, args]);
    } catch (error) {
      // "page.evaluate: Error: what went wrong", then the stack of the page.
      const [reason] = error.message.split("\n");
      throw new Error(reason.replace(/^page\.evaluate: (Error: )?/, ""));
    }
  }
}
