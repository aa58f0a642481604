/** One describing process, run by tests that kill it: `node child.mjs <server> <cache> <clips> <concurrency>`. */

import { describe } from "../../dist/describe/describe.js"
import { resolvePrompts } from "../../dist/describe/prompts.js"
import { openProvider } from "../../dist/describe/providers.js"

const [server, cachePath, count, concurrency] = process.argv.slice(2)
const clips = Array.from({ length: Number(count) }, (_, i) => ({
  id: `hug/clip ${i}`,
  path: `/data/hug/clip ${i}.mp4`,
  relative: `hug/clip ${i}.mp4`,
  hash: String(i).padStart(64, "0"),
  label: "hug",
  split: "train",
  start: null,
  end: null,
  frames: 50,
  fps: 25,
  width: 320,
  height: 240,
}))
const strips = {
  settings: { frames: 5 },
  encode: async ({ id }) => Buffer.concat([Buffer.alloc(15), Buffer.from(id)]),
}
const provider = await openProvider({
  kind: "openai",
  model: "gpt-4o",
  baseUrl: server,
  concurrency: Number(concurrency),
})
const report = await describe({ clips, prompts: resolvePrompts("paper"), provider, strips, cachePath, backoff: 10 })
const answers = [...report.answers.values()].reduce((sum, texts) => sum + Object.keys(texts).length, 0)
process.stdout.write(JSON.stringify({ answers, requests: report.requests, cached: report.cached }))
