/* Paired preference: say which of A and B is liked better. */

import { openChoice } from "../trial/choice.js";

openChoice();
