/* Comparison category rating: grade the second of two recordings against the first. */

import { openOpinion } from "../trial/opinion.js";

openOpinion();
