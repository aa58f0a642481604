/** Takes answers over from another cache: they were paid for, and are not asked for again. */

import { existsSync } from "node:fs"
import { cp, mkdir, readdir, rename, rm } from "node:fs/promises"
import { join } from "node:path"
import { plural, type Reporter } from "@fourtier/core"
import { DescriptionCache, partsFolder } from "./cache.ts"

/**
 * Copies the answers that `to` has no key of, with what they have in common; the file `from` stays as it is. The records of batches
 * that are still under way are moved, so that one run fetches them.
 * @param from path of a `descriptions.jsonl`; it need not exist
 *
 * @example
 * ```ts
 * import { silent } from "@fourtier/core"
 * import { takeOverAnswers } from "fourtier/describe"
 *
 * await takeOverAnswers("old/descriptions.jsonl", "cache/descriptions.jsonl", silent) // number of answers copied
 * ```
 */
export async function takeOverAnswers(from: string, to: string, reporter: Reporter): Promise<number> {
  let taken = 0
  if (existsSync(from) || existsSync(partsFolder(from))) {
    const [source, target] = [new DescriptionCache(from), new DescriptionCache(to)]
    try {
      for (const answer of source.answers()) {
        if (target.state(answer.key) !== undefined) continue
        const spec = source.spec(answer.spec)
        if (spec !== undefined) target.keepSpec(answer.spec, spec)
        target.append(answer)
        taken++
      }
    } finally {
      source.close()
      target.close()
    }
  }
  for (const name of await readdir(`${from}.batches`).catch(() => [])) {
    await mkdir(`${to}.batches`, { recursive: true })
    await moveFile(join(`${from}.batches`, name), join(`${to}.batches`, name))
  }
  if (taken > 0) reporter.say(`${plural(taken, "answer")} taken over from ${from}`)
  return taken
}

/** Also to another disk. */
async function moveFile(from: string, to: string): Promise<void> {
  try {
    await rename(from, to)
  } catch {
    await cp(from, to, { recursive: true })
    await rm(from, { recursive: true, force: true })
  }
}
