// The results page: what a figure is made of, points that play, and news without a jump.

import { copyTables } from "./copy.js";
import { explain } from "./explain.js";
import { keepPlace } from "./place.js";
import { playPoints } from "./play.js";

explain(document.body);
playPoints(document.body, document.querySelector("#now-playing"));
keepPlace(document.body);
copyTables(document.body);
