/** Things that are given as data by mistake: what they are, and what to give instead. */

import { existsSync } from "node:fs"
import { basename, dirname, extname, join } from "node:path"
import { FourtierError } from "@fourtier/tensor"
import { isVideoName } from "./endings.ts"

const EXPECTED = "a folder of class folders, a folder with a table, or a CSV, TSV or JSONL file"

const KINDS: readonly { endings: readonly string[]; what: string; fix: string }[] = [
  { endings: ["xlsx", "xls", "ods", "numbers"], what: "a spreadsheet", fix: "save it as CSV (UTF-8)" },
  {
    endings: ["tar"],
    what: "an archive",
    fix: "list its clips, which stay in it: fourtier data webdataset <file>; or unpack it, and give its folder",
  },
  { endings: ["zip", "gz", "tgz", "7z", "rar"], what: "an archive", fix: "unpack it, and give its folder" },
  {
    endings: ["onnx", "pt", "pth", "safetensors", "bin"],
    what: "a file of weights",
    fix: "give the folder of the clips; weights are a setting (encoder.checkpoint)",
  },
  {
    endings: ["yaml", "yml"],
    what: "a file of settings",
    fix: "give the folder of the clips, and the settings with --config",
  },
  {
    endings: ["jpg", "jpeg", "png", "webp", "bmp", "tif", "tiff", "heic"],
    what: "a picture",
    fix: "give the folder of the clips",
  },
]

/** @throws FourtierError for a video, an archive, a spreadsheet, and for folders that a run has made */
export function refuseOtherThings(path: string, folder: boolean): void {
  if (folder) refuseOwnFolder(path)
  else refuseFile(path)
}

function refuseFile(path: string): void {
  if (isVideoName(path)) {
    throw new FourtierError({
      where: path,
      what: "a single video is no data set",
      expected: EXPECTED,
      fix: `give its folder; to recognise what it shows: fourtier predict <bundle> ${basename(path)}`,
    })
  }
  const ending = extname(path).slice(1).toLowerCase()
  const kind = KINDS.find(({ endings }) => endings.includes(ending))
  if (kind === undefined) return
  throw new FourtierError({ where: path, what: `${kind.what} is no data set`, expected: EXPECTED, fix: kind.fix })
}

function refuseOwnFolder(path: string): void {
  const bundle = existsSync(join(path, "bundle.json"))
  const run = existsSync(join(path, "trials")) && existsSync(join(path, "config.yaml"))
  if (!bundle && !run) return
  throw new FourtierError({
    where: path,
    what: bundle ? "a bundle is no data set" : "the folder of a run is no data set",
    expected: EXPECTED,
    fix: bundle
      ? "give the folder of the clips; to recognise clips with this bundle: fourtier predict <bundle> <video>"
      : "give the folder of the clips that it was trained on",
  })
}

/** A table given as data that is a manifest of ours. */
export function ownManifest(path: string): FourtierError {
  return new FourtierError({
    where: path,
    what: "a manifest that fourtier wrote, not a table of clips",
    expected: EXPECTED,
    fix: `give the data that it was made from, or another table; this one belongs to the run in ${dirname(path)}`,
  })
}

/** First line of a file that stands for a large one in a Git repository. */
const LFS_POINTER = "version https://git-lfs.github.com/spec/"

/** @throws FourtierError where a table's text is a pointer of Git LFS */
export function refusePointer(path: string, text: string): void {
  if (!text.startsWith(LFS_POINTER)) return
  throw new FourtierError({ where: path, what: "a Git LFS pointer, not the file", fix: "run `git lfs pull` there" })
}

/**
 * What a file named as a video is, judged by its first bytes, where that is no video.
 * @returns a reason with what to do, or null
 */
export function notVideo(head: Uint8Array): string | null {
  const text = new TextDecoder("latin1").decode(head.subarray(0, 200))
  if (text.startsWith(LFS_POINTER)) return "a Git LFS pointer, not the video: run `git lfs pull` in its folder"
  if (/^\/?(annex\/objects|\.git\/annex)/.test(text)) {
    return "a git-annex pointer, not the video: run `git annex get` in its folder"
  }
  if (/^\s*(<!doctype html|<html|<\?xml)/i.test(text)) return "a web page, not a video: its download has failed"
  if (text.startsWith("PK\u0003\u0004")) return "an archive (zip), not a video: unpack it"
  return null
}
