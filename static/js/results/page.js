/* The results page: what a figure is made of, points that play, and news without a jump. */

import { findAll } from "../common/dom.js";
import { copyTables } from "./copy.js";
import { explain } from "./explain.js";
import { keepPlace } from "./place.js";
import { playPoints } from "./play.js";

explain(document.body);
playPoints(document.body, findAll("#now-playing")[0] ?? null);
keepPlace(document.body);
copyTables(document.body);
