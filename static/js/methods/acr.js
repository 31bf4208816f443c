/* Absolute category rating: grade one recording. */

import { openOpinion } from "../trial/opinion.js";

openOpinion();
