// @moq/lite.

import * as Lite from "@moq/lite";

import { serve } from "./client.js";
import { Session } from "./older.js";

serve({
  async connect(url, props) {
    const connection = await Lite.Connection.connect(url, props);
    return new Session(connection, connection.version, Lite);
  },
});
