/** A little data set of moving squares with recorded answers, and the compiled command line as a child process. */

import { type ChildProcess, spawn } from "node:child_process"
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Rng } from "@fourtier/tensor"
import { afterAll, afterEach } from "vitest"
import { encodeClip } from "../../packages/fourtier/tests/video/encode.ts"

export const CLI = join(import.meta.dirname, "../../packages/fourtier/dist/cli/main.js")
export const built = existsSync(CLI)

/** A folder that is removed after the tests of the file. */
export function scratchFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "fourtier-e2e-"))
  afterAll(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

const SIDE = 64

/** Where the square is at moment 0..1, as a share of the free way. */
const WAYS: Record<string, (moment: number) => [x: number, y: number]> = {
  right: (moment) => [moment, 0.5],
  left: (moment) => [1 - moment, 0.5],
  down: (moment) => [0.5, moment],
}

export const CLASSES = Object.keys(WAYS).toSorted()

/** Writes clips into class folders and, beside them, what a vision-language model is said to have answered. */
export function writeClips(root: string, perClass: number): void {
  mkdirSync(root, { recursive: true })
  const lines: string[] = []
  for (const [label, way] of Object.entries(WAYS)) {
    for (let i = 0; i < perClass; i++) {
      const rng = Rng.fork("squares", label, i)
      const [size, shade, level] = [16 + rng.int(12), 30 + rng.int(60), 170 + rng.int(80)]
      const [dx, dy] = [rng.uniform(-6, 6), rng.uniform(-6, 6)]
      const frames = 12 + rng.int(6)
      const relative = `${label}/square ${i}.mp4`
      encodeClip(join(root, relative), {
        width: SIDE,
        height: SIDE,
        frames,
        paint: (frame, pixels, stride) => {
          const [x, y] = way(frame / (frames - 1))
          const [left, top] = [x * (SIDE - size) + dx, y * (SIDE - size) + dy]
          for (let row = 0; row < SIDE; row++) {
            for (let column = 0; column < SIDE; column++) {
              const inside = column >= left && column < left + size && row >= top && row < top + size
              pixels.fill(inside ? level : shade, row * stride + 3 * column, row * stride + 3 * column + 3)
            }
          }
        },
      })
      const answers = {
        A: `moving ${label}`,
        B: `A bright square of ${size} pixels goes ${label}.`,
        C: `The square starts at one side and moves ${label} until the other, number ${i}.`,
        D: "A plain grey background.",
      }
      lines.push(JSON.stringify({ path: relative, model: "made up", answers }))
    }
  }
  writeFileSync(join(root, "descriptions.jsonl"), `${lines.join("\n")}\n`)
}

/** Settings that make a run take seconds. */
export const SETTINGS = {
  encoder: { kind: "movenet", frames: 3, resolution: 96 },
  views: {
    sampling: { kind: "segments", frames: 3 },
    train: { draws: 1, steps: [{ step: "letterbox", size: 96 }] },
    test: { clips: 1, steps: [{ step: "letterbox", size: 96 }] },
  },
  model: { blocks: 1, width: 16, headWidth: 16 },
  split: { test: 0.25, val: 0.2 },
  methods: ["linear-probe", "baseline", "full"],
  align: { epochs: 12, minUpdates: 0, batch: 8, checkpointSeconds: 0 },
  finetune: { epochs: 12, minUpdates: 0, batch: 8, checkpointSeconds: 0 },
  linearProbe: { epochs: 6, minUpdates: 0, batch: 8 },
  runtime: { workers: 1, threads: 1, provider: "cpu" },
}

export interface Ended {
  code: number | null
  out: string
  err: string
  seconds: number
}

const children = new Set<ChildProcess>()
afterEach(() => {
  for (const child of children) child.kill("SIGKILL")
})

/** The cache of what is started in a folder. */
export const cacheOf = (cwd: string) => join(cwd, "cache")

/** Starts `fourtier <args>` in a folder, with the folder's cache unless `cache` names another. */
export function start(cwd: string, ...args: string[]) {
  return startWith({ FOURTIER_CACHE: cacheOf(cwd) }, cwd, ...args)
}

/** Starts `fourtier <args>` in a folder with these variables of the environment. */
export function startWith(variables: NodeJS.ProcessEnv, cwd: string, ...args: string[]) {
  const begun = performance.now()
  const env = { ...process.env, NO_COLOR: "1", FORCE_COLOR: undefined, ...variables }
  const child = spawn(process.execPath, [CLI, ...args], { cwd, env, stdio: ["ignore", "pipe", "pipe"] })
  children.add(child)
  const state = { child, out: "", err: "", ended: Promise.resolve<Ended>({ code: null, out: "", err: "", seconds: 0 }) }
  child.stdout.on("data", (chunk) => {
    state.out += chunk
  })
  child.stderr.on("data", (chunk) => {
    state.err += chunk
  })
  state.ended = new Promise((resolve) => {
    child.on("close", (code) => {
      children.delete(child)
      resolve({ code, out: state.out, err: state.err, seconds: (performance.now() - begun) / 1000 })
    })
  })
  return state
}

export const fourtier = (cwd: string, ...args: string[]): Promise<Ended> => start(cwd, ...args).ended
