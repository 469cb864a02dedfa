import { switchWith } from "./theme.js";

switchWith(document.getElementById("theme"));
