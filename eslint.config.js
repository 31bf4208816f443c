import js from "@eslint/js";
import globals from "globals";

export default [
  { ignores: ["**/*.min.js", ".venv/", "var/", "build/", "static/vendor/"] },
  js.configs.recommended,
  {
    files: ["static/js/**/*.js"],
    languageOptions: { globals: globals.browser },
    rules: { eqeqeq: "error", "no-var": "error", "prefer-const": "error" },
  },
];
