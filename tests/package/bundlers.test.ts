/** Protects programs that are bundled: with the documented packages left external they run, and without, the error names those. */

import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { build } from "vite"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { encodeClip } from "../../packages/fourtier/tests/video/encode.ts"
import { built, node } from "../cli/command.ts"
import { writeBundle } from "../examples/bundle.ts"

const ROOT = join(import.meta.dirname, "../..")
mkdirSync(join(ROOT, ".fourtier"), { recursive: true })
/** In the repository, where programs find its packages. */
const folder = mkdtempSync(join(ROOT, ".fourtier", "bundled-"))
afterAll(() => rmSync(folder, { recursive: true }))

const readme = readFileSync(join(ROOT, "packages/fourtier/README.md"), "utf8")
/** What the README tells to leave external, as patterns. */
const documented = [...readme.matchAll(/--external:(\S+)/g)].map(
  ([, name]) => new RegExp(`^${name.replace("*", ".*")}(/.*)?$`),
)
const natives = [/^node:/, /^(node-av|sharp|onnxruntime-\w+|openai|@huggingface\/.*)/]

const PROGRAM = `import { Recognizer } from "fourtier"
const load = Recognizer.load(${JSON.stringify(join(folder, "bundle"))})
load.then(async (recognizer) => {
  console.log((await recognizer.predict(${JSON.stringify(join(folder, "clip.mp4"))})).top[0].label)
  await recognizer.release()
}).catch((error) => {
  console.log(error.message)
})`

async function bundled(name: string, format: "es" | "cjs", external: RegExp[]): Promise<string> {
  const out = join(folder, name)
  await build({
    root: folder,
    configFile: false,
    logLevel: "error",
    build: {
      outDir: out,
      minify: false,
      target: "node20",
      lib: { entry: join(folder, "program.js"), formats: [format], fileName: "program" },
      rollupOptions: { external: [...external, /^node:/] },
    },
    resolve: { conditions: ["node"] },
    ssr: { noExternal: true },
  })
  const file = readdirSync(out).find((one) => /^program\.(c|m)?js$/.test(one)) ?? "none"
  return join(out, file)
}

describe.skipIf(!built)("a bundled program", () => {
  beforeAll(async () => {
    await writeBundle(join(folder, "bundle"))
    encodeClip(join(folder, "clip.mp4"), { frames: 9, paint: (_, pixels) => pixels.fill(220) })
    writeFileSync(join(folder, "program.js"), PROGRAM)
    writeFileSync(join(folder, "package.json"), '{"type":"module"}')
  })

  it.each(["es", "cjs"] as const)("runs as %s with the documented packages left external", async (format) => {
    expect(documented.map((one) => one.source)).toEqual(["^fourtier(\\/.*)?$", "^@fourtier\\/.*(\\/.*)?$"])
    const { out } = node([await bundled(`external-${format}`, format, documented)])
    expect(out).toBe("bright\n")
  })

  it("that holds fourtier itself says what to leave external", async () => {
    const { out, err } = node([await bundled("whole", "es", natives)])
    expect(out + err).toMatch(/a bundler has moved it[\s\S]*--external:fourtier --external:@fourtier\/\*/)
  })
})
