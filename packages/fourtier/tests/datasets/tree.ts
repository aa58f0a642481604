/** Small trees in the layout of published data sets, and what `fourtier data` makes of them. */

import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { silent } from "@fourtier/core"
import { AV_LOG_QUIET, Log } from "node-av"
import { afterAll } from "vitest"
import type { DatasetRequest } from "../../src/datasets/dataset.ts"
import { datasetNamed } from "../../src/datasets/list.ts"
import { type DatasetReport, writeDataset } from "../../src/datasets/write.ts"
import { type Source, scanSource } from "../../src/video/source.ts"
import { makeClip } from "../video/fixtures.ts"

Log.setLevel(AV_LOG_QUIET)

/** A file of the tree that is a video: a few bytes of a rendered clip. */
export const VIDEO = { video: true } as const

export interface Tree {
  root: string
  /** Reads a data set in the tree, and the table as every other verb does. */
  read(
    name: string,
    request?: Partial<DatasetRequest>,
  ): Promise<{ report: DatasetReport; source: Source; table: string }>
}

/** A maker of trees in a folder that is removed after the tests of the file. */
export function trees(): (files: Readonly<Record<string, string | Uint8Array | typeof VIDEO>>) => Tree {
  const folder = mkdtempSync(join(tmpdir(), "fourtier-datasets-"))
  afterAll(() => rmSync(folder, { recursive: true, force: true }))
  const clip = readFileSync(makeClip(join(folder, "clip.mp4"), { frames: 3 }))
  let made = 0
  return (files) => {
    const root = join(folder, `${made++}`)
    mkdirSync(root)
    for (const [name, content] of Object.entries(files)) {
      mkdirSync(dirname(join(root, name)), { recursive: true })
      writeFileSync(join(root, name), typeof content === "object" && "video" in content ? clip : content)
    }
    return {
      root,
      async read(name, request = {}) {
        const out = join(folder, `table-${made++}`, "clips.csv")
        const report = await writeDataset(datasetNamed(name), { root, ...request }, out, silent)
        return { report, source: await scanSource(out), table: readFileSync(out, "utf8") }
      },
    }
  }
}

/** Path below the tree's folder, label and part of every clip. */
export function told({ clips }: Source): (string | null)[][] {
  return clips.map(({ relative, labels, split }) => [relative.replace(/^(?:\.\.\/)+\d+\//, ""), ...labels, split])
}
