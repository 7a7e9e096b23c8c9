// @kixelated/moq. It does not say what was negotiated, but has one class for each of the two versions it knows.

import * as Moq from "@kixelated/moq";

import { serve } from "./client.js";
import { Session } from "./older.js";

serve({
  async connect(url, props) {
    const connection = await Moq.Connection.connect(url, props);
    const version = connection instanceof Moq.Lite.Connection ? "moq-lite-01" : "moq-transport-14";
    return new Session(connection, version, Moq);
  },
});
