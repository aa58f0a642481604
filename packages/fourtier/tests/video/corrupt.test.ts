/** Protects: damaged files give a measure or a clear reason, and decoding gives frames or a clear error; never a crash or hang. */

import { mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { silent } from "@fourtier/core"
import { samplingSchema, transformSchema } from "@fourtier/core/schemas"
import { messageOf, Rng } from "@fourtier/tensor"
import { beforeAll, expect, test } from "vitest"
import { doctor } from "../../src/video/doctor.ts"
import { loadClips } from "../../src/video/pool.ts"
import { makeClip, scratchFolder } from "./fixtures.ts"

const folder = scratchFolder()
const data = join(folder, "data")

const kinds = {
  "h264.mp4": { options: { g: "12", bf: "2" } },
  "hevc.mkv": { codec: "libx265", width: 128, height: 96, options: { "x265-params": "log-level=none" } },
  "vp9.webm": { codec: "libvpx-vp9", options: { deadline: "realtime", "cpu-used": "8" } },
  "xvid.avi": { codec: "mpeg4", options: { bf: "2", g: "12" } },
  "mpeg2.mpg": { codec: "mpeg2video", options: { bf: "2" } },
  "h264.ts": { options: { bf: "2" } },
}

/** Six ways to damage a file. */
const damages: Record<string, (bytes: Buffer, rng: Rng) => Buffer> = {
  flip: (bytes, rng) => {
    for (let i = 0; i < 20; i++) bytes[rng.int(bytes.length)] ^= 1 << rng.int(8)
    return bytes
  },
  overwrite: (bytes, rng) => bytes.fill(rng.int(256), rng.int(bytes.length), rng.int(bytes.length)),
  header: (bytes, rng) => {
    for (let i = 0; i < 8; i++) bytes[rng.int(200)] = rng.int(256)
    return bytes
  },
  cut: (bytes, rng) => bytes.subarray(0, rng.int(bytes.length)),
  hole: (bytes, rng) => {
    const at = rng.int(bytes.length)
    return Buffer.concat([bytes.subarray(0, at), bytes.subarray(Math.min(bytes.length, at + rng.int(2000)))])
  },
  huge: (bytes, rng) => {
    bytes.writeUInt32BE(0xfffffff0, rng.int(Math.min(1000, bytes.length - 4)))
    return bytes
  },
}

beforeAll(() => {
  mkdirSync(data)
  for (const [name, recipe] of Object.entries(kinds)) {
    const whole = readFileSync(makeClip(join(folder, name), recipe))
    for (const [damage, apply] of Object.entries(damages)) {
      for (let seed = 0; seed < 2; seed++) {
        writeFileSync(join(data, `${damage}-${seed}-${name}`), apply(Buffer.from(whole), Rng.fork(seed, damage, name)))
      }
    }
  }
})

test("72 damaged files", async () => {
  const { manifest } = await doctor(data, join(folder, "manifest.jsonl"), silent, { workers: 2, timeout: 20 })
  expect(manifest.clips.length + manifest.quarantine.length).toBe(72)
  expect(manifest.quarantine.length).toBeGreaterThan(10)
  for (const { reason } of manifest.quarantine) {
    expect(reason.length).toBeGreaterThan(5)
    expect(reason).not.toMatch(/longer than|internal|undefined|ended with code/)
  }
  const sampling = samplingSchema.parse({ kind: "segments", frames: 8 })
  const transform = transformSchema.parse({ steps: [{ step: "letterbox", size: 32 }] })
  const errors: string[] = []
  let loaded = 0
  const paths = [
    ...manifest.clips,
    ...manifest.quarantine.map(({ path }) => ({ id: path, path, start: null, end: null, frames: 30, fps: 25 })),
  ]
  const jobs = paths.map((clip) => ({ clip, sampling, transform }))
  for await (const { shape } of loadClips(jobs, {
    workers: 2,
    timeout: 20,
    onError: (_, error) => errors.push(messageOf(error)),
  })) {
    expect(shape).toEqual([8, 32, 32, 3])
    loaded++
  }
  expect(loaded + errors.length).toBe(72)
  for (const message of errors)
    expect(message).toMatch(
      /cannot be opened|no video stream|no frame can be decoded|cannot be read|has no frame size|decoder/,
    )
})
