/** Builds the timeline of `fourtier segment` in the same way as the report. */

import { defineConfig, mergeConfig } from "vite"
import report from "./vite.config.ts"

export default defineConfig(
  mergeConfig(report, {
    build: {
      outDir: "../../packages/fourtier/dist/timeline-page",
      rolldownOptions: {
        input: "src/timeline/main.tsx",
        output: { banner: "/*! Holds Preact (MIT, Jason Miller): see docs/dependencies.md of fourtier. */" },
      },
    },
  }),
)
