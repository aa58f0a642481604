/** Builds the page: static files for any host, and for `fourtier studio`. */

import { isBuiltin } from "node:module"
import { defineConfig, type Plugin } from "vite"
import { encoderAssets } from "./build/encoder.ts"

/** Modules of Node are no part of a page: importing one ends the build. */
const noNodeModules: Plugin = {
  name: "no-node-modules",
  enforce: "pre",
  resolveId(id, importer) {
    if (isBuiltin(id)) throw new Error(`${importer} imports ${id}, a module of Node`)
  },
}

export default defineConfig({
  root: import.meta.dirname,
  base: "./",
  plugins: [noNodeModules, encoderAssets()],
  resolve: { conditions: ["browser", "module", "import", "default"] },
  worker: { format: "es", plugins: () => [noNodeModules] },
  build: { outDir: "dist", emptyOutDir: true, target: "es2022", modulePreload: false, chunkSizeWarningLimit: 1000 },
})
