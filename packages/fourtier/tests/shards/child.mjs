/**
 * One worker, run by tests that kill it: `node child.mjs <work> <results> <items> <milliseconds an item>`. Each item becomes a line in a
 * file of this process; a block that another had before is looked up in all files first.
 */

import { appendFileSync, mkdirSync, readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { Job } from "../../dist/shards/job.js"

const [work, results, count, pace] = process.argv.slice(2)
mkdirSync(results, { recursive: true })
const own = join(results, `${process.pid}.txt`)
let done = new Set()
const look = () => {
  const texts = readdirSync(results).map((name) => readFileSync(join(results, name), "utf8"))
  done = new Set(texts.flatMap((text) => text.split("\n").slice(0, -1).map(Number)))
}
look()
const job = await Job.open({
  division: { shard: null, steal: true, work, blockSize: 4 },
  kind: "toys",
  title: "toys",
  unit: "toys",
  spec: "killed",
  items: Array.from({ length: Number(count) }, (_, i) => String(i)),
  nameOf: String,
  isThere: (item) => done.has(item),
})
await job.during(async () => {
  for await (const block of job.all()) {
    if (block.isTakenOver) look()
    for (const item of block.items) {
      if (!done.has(item)) {
        await sleep(Number(pace))
        appendFileSync(own, `${item}\n`)
      }
      await block.tick(item)
    }
    await block.finish()
  }
})
