/** Clips without files, strips without video, and a folder that goes away. */

import { createHash } from "node:crypto"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll } from "vitest"
import type { DescribedClip } from "../../src/describe/provider.ts"
import type { StripSource } from "../../src/describe/strip.ts"

/** A folder for one test file, removed afterwards. */
export function scratch(): string {
  const folder = mkdtempSync(join(tmpdir(), "fourtier-describe-"))
  afterAll(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

export function clip(i: number, more: Partial<DescribedClip> = {}): DescribedClip {
  const label = ["hug", "kick", "wave"][i % 3]
  const relative = `${label}/clip ${i}.mp4`
  return {
    id: relative.replace(/\.mp4$/, ""),
    path: `/data/${relative}`,
    relative,
    hash: createHash("sha256").update(String(i)).digest("hex"),
    label,
    split: "train",
    start: null,
    end: null,
    frames: 50,
    fps: 25,
    width: 320,
    height: 240,
    ...more,
  }
}

export function clips(count: number): DescribedClip[] {
  return Array.from({ length: count }, (_, i) => clip(i))
}

/** A JPEG header of 1280 × 256 followed by the clip's id: enough for a server that does not look. */
export const strips: StripSource = {
  settings: { frames: 5, height: 256, quality: 90 },
  async encode({ id }) {
    const header = [0xff, 0xd8, 0xff, 0xc0, 0x00, 0x0b, 0x08, 0x01, 0x00, 0x05, 0x00, 0x01, 0x01, 0x11, 0x00]
    return Buffer.concat([Buffer.from(header), Buffer.from(id)])
  },
}
