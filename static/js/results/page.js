/* The results page: what a figure is made of, and points that play. */

import { findAll } from "../common/dom.js";
import { copyTables } from "./copy.js";
import { explain } from "./explain.js";
import { playPoints } from "./play.js";

explain(document.body);
playPoints(document.body, findAll("#now-playing")[0] ?? null);
copyTables(document.body);
