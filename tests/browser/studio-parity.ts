/** What the studio's page and Node make of the same frames and of the same file. */

import { readdir, readFile } from "node:fs/promises"
import { join } from "node:path"
import { resize, scaledSize, transformOf } from "@fourtier/core/frames"
import { halfToFloat } from "@fourtier/tensor"
import { loadConfig } from "fourtier"
import { loadForStream, readBundle, streamPictureSize } from "fourtier/deploy"
import { openEncoder, openVisualEncoder } from "fourtier/encoders"
import { clipOfFile, loadViews } from "fourtier/video"
import type { Page } from "playwright-core"
import { expect } from "vitest"
import { z } from "zod"
import type { ActionName } from "../../packages/puppets/src/acts.ts"
import { FPS, HEIGHT, puppetFrames, WIDTH } from "./puppet-camera.ts"
import { DIST } from "./studio-window.ts"

/** Frames, RGB, and the seconds at which each is shown. */
export interface Film {
  times: number[]
  pictures: Uint8Array[]
}

/** As much of a take as fills one window of the recogniser in a folder. */
export async function oneWindow(bundle: string, action: ActionName, take: number): Promise<Film> {
  const seconds = (await readBundle(bundle)).clipSeconds ?? 2
  const pictures = [...puppetFrames(action, take, Math.ceil(seconds * FPS - 1e-6) + 1)]
  return { pictures, times: pictures.map((_, i) => i / FPS) }
}

/** Probabilities [C] of the first window, by a bundle's folder. */
export async function saidInNode(folder: string, { times, pictures }: Film): Promise<number[]> {
  const recognizer = await loadForStream(folder)
  const { width, height } = scaledSize(WIDTH, HEIGHT, streamPictureSize(recognizer.bundle))
  const frames = pictures.map((data, i) => {
    const picture = resize({ data, count: 1, width: WIDTH, height: HEIGHT }, width, height)
    return { time: times[i], picture }
  })
  try {
    for await (const { probabilities } of recognizer.stream(frames)) return [...probabilities]
    return []
  } finally {
    await recognizer.release()
  }
}

const base64 = (bytes: Uint8Array) => Buffer.from(bytes).toString("base64")

/** The same by the worker of the page. */
export async function saidInPage(page: Page, folder: string, film: Film): Promise<number[]> {
  const engine = (await readdir(join(DIST, "assets"))).find((name) => /^engine\.worker.*\.js$/.test(name))
  const file = async (name: string) => base64(await readFile(join(folder, name)))
  const given = {
    address: `./assets/${engine}`,
    bundle: await readFile(join(folder, "bundle.json"), "utf8"),
    files: [await file("model.onnx"), await file("frame.onnx"), await file("head.onnx")],
    times: film.times,
    pictures: film.pictures.map(base64),
    width: WIDTH,
    height: HEIGHT,
  }
  return z.array(z.number()).parse(await page.evaluate(await script("said", given)))
}

/** A call, in the page, of the function that a file beside this one exports. */
export async function script(name: string, given: unknown): Promise<string> {
  const source = await readFile(join(import.meta.dirname, `in-page/${name}.js`), "utf8")
  return `(${source.slice(source.indexOf("async function"))})(${JSON.stringify(given)})`
}

export function largestDifference(a: readonly number[], b: readonly number[]): number {
  expect(a).toHaveLength(b.length)
  return Math.max(...a.map((x, i) => Math.abs(x - b[i])))
}

/** Clips of the page that has no server, by their places: their files, and the features that it has computed of them. */
export async function clipsWithFeatures(
  page: Page,
  places: readonly number[],
): Promise<{ file: Uint8Array; features: Uint8Array }[]> {
  const coded = z
    .array(z.object({ file: z.string(), features: z.string() }))
    .parse(await page.evaluate(await script("features", places)))
  return coded.map(({ file, features }) => ({
    file: new Uint8Array(Buffer.from(file, "base64")),
    features: new Uint8Array(Buffer.from(features, "base64")),
  }))
}

/**
 * How far the page's features of files are from Node's: for each the norm of the difference, as a share of the norm.
 * @param files paths, and what the page has stored of each
 */
export async function featureDifferences(files: readonly { path: string; features: Uint8Array }[]): Promise<number[]> {
  const { value: config } = await loadConfig()
  const encoder = await openVisualEncoder(config.encoder)
  const session = await openEncoder(encoder, 1, {})
  const { sampling, test } = config.views
  const transform = transformOf(test.steps)
  const shares: number[] = []
  for (const { path, features } of files) {
    const clip = clipOfFile(path)
    const job = { clip, sampling: { ...sampling, frames: encoder.frames, clips: test.clips }, transform, seed: null }
    const { views } = loadViews({ ...job, scaleWhileDecoding: true })
    const { T, H, W, D } = encoder.size
    const lengths = { m: T * H * W * D, s: T * D, t: H * W * D }
    const record = lengths.m + lengths.s + lengths.t
    const stored = new Uint16Array(features.buffer, features.byteOffset, features.length / 2)
    // the views for testing come last
    const first = stored.length - views.length * record
    const [off, all] = [{ sum: 0 }, { sum: 0 }]
    for (const [v, frames] of views.entries()) {
      const { m } = await session.run({ frames })
      const own = halfToFloat(stored.subarray(first + v * record, first + v * record + lengths.m))
      for (const [i, value] of Float32Array.from(m, Number).entries()) {
        off.sum += (value - own[i]) ** 2
        all.sum += value ** 2
      }
    }
    shares.push(Math.sqrt(off.sum / all.sum))
  }
  await session.release()
  return shares
}
