// Pages with nothing but the help key: login, errors.

import { bind } from "./keys.js";
import { text } from "./page.js";

bind([{ code: "?", shown: "?", action: "help" }], {}, text);
