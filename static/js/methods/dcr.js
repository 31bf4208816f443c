/* Degradation category rating: grade a recording against the reference before it. */

import { openOpinion } from "../trial/opinion.js";

openOpinion();
