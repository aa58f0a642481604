/** The test's page as a site of its own: bundled by Vite for browsers alone, served from this machine to this machine. */

import { readFile } from "node:fs/promises"
import { createServer, type Server } from "node:http"
import { isBuiltin } from "node:module"
import { extname, join } from "node:path"
import { build, type Plugin } from "vite"

/** Modules of Node are no part of a page: importing one ends the build. */
const noNodeModules: Plugin = {
  name: "no-node-modules",
  enforce: "pre",
  resolveId(id, importer) {
    if (isBuiltin(id)) throw new Error(`${importer} imports ${id}, a module of Node`)
  },
}

/** Bundles the page beside this file into a folder. @returns the names of the files written */
export async function buildSite(folder: string): Promise<string[]> {
  const built = await build({
    root: import.meta.dirname,
    configFile: false,
    logLevel: "error",
    plugins: [noNodeModules],
    resolve: { conditions: ["@fourtier/source", "browser", "module", "import", "default"] },
    build: { outDir: folder, emptyOutDir: true, target: "es2022", minify: true },
  })
  const outputs = Array.isArray(built) ? built : [built]
  return outputs.flatMap((one) => ("output" in one ? one.output.map(({ fileName }) => fileName) : []))
}

const TYPES: Record<string, string> = {
  ".html": "text/html",
  ".js": "text/javascript",
  ".mjs": "text/javascript",
  ".css": "text/css",
  ".json": "application/json",
  ".wasm": "application/wasm",
}

/** Lets a page share memory between threads. */
const ISOLATION = {
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-embedder-policy": "require-corp",
}

/**
 * Serves a folder on a free port of the loopback address.
 * @param instead bodies of files that are served in place of the folder's, by path
 */
export async function serve(
  folder: string,
  { isolated = false, instead = {} }: { isolated?: boolean; instead?: Record<string, string> } = {},
): Promise<{ url: string; close(): Promise<void> }> {
  const server: Server = createServer(async (request, response) => {
    const path = request.url === "/" ? "/index.html" : (request.url ?? "/")
    const type = TYPES[extname(path)] ?? "application/octet-stream"
    try {
      const body = instead[path] ?? (await readFile(join(folder, path)))
      response.writeHead(200, { "content-type": type, ...(isolated ? ISOLATION : {}) }).end(body)
    } catch {
      response.writeHead(404).end()
    }
  })
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  const address = server.address()
  if (address === null || typeof address === "string") throw new Error("no port")
  return {
    url: `http://127.0.0.1:${address.port}/`,
    close: () => new Promise((resolve) => server.close(() => resolve())),
  }
}
