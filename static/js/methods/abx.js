/* ABX: say which of A and B is X. */

import { openChoice } from "../trial/choice.js";

openChoice();
