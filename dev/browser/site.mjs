// The pages, one per library, from a web server on localhost: browsers have WebTransport only for secure contexts.

import { once } from "node:events";
import { createServer } from "node:http";
import { fileURLToPath } from "node:url";

import { build } from "esbuild";

import { LIBRARIES } from "./seat.mjs";

const PAGES = fileURLToPath(new URL("page", import.meta.url));

export class Site {
  #server;
  #scripts;

  static async start() {
    const site = new Site();
    site.#scripts = await bundle();
    site.#server = createServer((request, response) => site.#answer(request, response)).listen(0, "127.0.0.1");
    await once(site.#server, "listening");
    return site;
  }

  /** The address of a library's page. */
  page(library) {
    return `http://localhost:${this.#server.address().port}/${library}`;
  }

  stop() {
    this.#server.closeAllConnections();
    this.#server.close();
  }

  #answer({ url }, response) {
    const script = this.#scripts.get(url);
    const type = script ? "text/javascript" : "text/html";
    response.writeHead(200, { "content-type": `${type}; charset=utf-8` });
    response.end(script ?? `<!doctype html><title>${url}</title><script type="module" src="${url}.js"></script>`);
  }
}

/** Every library with its part of `page`, by the path that a page asks for. Nothing is written to disk. */
async function bundle() {
  const { outputFiles } = await build({
    entryPoints: LIBRARIES.map((library) => `${PAGES}/${library}.js`),
    bundle: true,
    format: "esm",
    target: "esnext",
    outdir: "/",
    write: false,
    logLevel: "warning",
  });
  return new Map(outputFiles.map(({ path, text }) => [path, text]));
}
