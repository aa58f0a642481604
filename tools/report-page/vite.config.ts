/** Builds the page into one script and one style sheet, beside the compiled code of `fourtier`, which writes them into its reports. */

import { defineConfig } from "vite"

const LICENCES =
  "/*! Holds Preact (MIT, Jason Miller), Observable Plot and D3 (ISC, Observable and Mike Bostock), and what these need: see docs/dependencies.md of fourtier. */"

export default defineConfig({
  root: import.meta.dirname,
  build: {
    outDir: "../../packages/fourtier/dist/report-page",
    emptyOutDir: true,
    target: "es2022",
    cssTarget: ["chrome123", "firefox120", "safari17.5"],
    cssCodeSplit: false,
    modulePreload: false,
    rolldownOptions: {
      input: "src/main.tsx",
      output: { format: "iife", entryFileNames: "script.txt", assetFileNames: "style.txt", banner: LICENCES },
    },
  },
})
