/** The recogniser as files, and how to run them elsewhere. */

import { useState } from "preact/hooks"
import { text } from "../strings.ts"
import { offer, zipped } from "./export.ts"
import type { Model } from "./model.ts"

const PAGE = `import { FrameRecognizer, parseBundle } from "@fourtier/core/bundle"

const file = async (name) => new Uint8Array(await (await fetch("bundle/" + name)).arrayBuffer())
const bundle = parseBundle(await (await fetch("bundle/bundle.json")).json(), "bundle.json")
const externalData = [{ path: "model.onnx", data: await file("model.onnx") }]
const recognizer = await FrameRecognizer.loadParts(await file("frame.onnx"), await file("head.onnx"), bundle, { externalData })

// frames: an async iterable of { time, picture: { data: RGB, count: 1, height, width } }
for await (const { top, unknown } of recognizer.stream(frames, { live: true })) {
  console.log(unknown ? "–" : top[0].label, top[0].probability)
}`

const NODE = `import { Recognizer } from "fourtier/deploy"

const recognizer = await Recognizer.load("bundle")
const { top } = await recognizer.predict("clip.mp4")
console.log(top[0].label, top[0].probability)

// or, from the command line: npx fourtier predict bundle clip.mp4`

export function Take({ model }: { model: Model }) {
  const files = async () => {
    const names = await model.home.bundleFiles()
    return Promise.all(names.map(async (name) => ({ name, blob: await model.home.bundleFile(name) })))
  }
  const download = async () => {
    const packed = async function* () {
      for (const { name, blob } of await files()) yield { name: `bundle/${name}`, blob }
    }
    offer(await zipped(packed()), "bundle.zip")
  }
  const save = async () => {
    if (!pickFolder) return
    const chosen = await pickFolder({ mode: "readwrite" })
    const directory = await chosen.getDirectoryHandle("bundle", { create: true })
    for (const { name, blob } of await files()) {
      const stream = await (await directory.getFileHandle(name, { create: true })).createWritable()
      await stream.write(blob)
      await stream.close()
    }
    model.say(text.saved)
  }
  return (
    <div class="take">
      <h2>{text.take}</h2>
      <p class="hint">{text.takeBody}</p>
      <div class="actions">
        <button type="button" class="primary" onClick={() => void model.attempt(download)}>
          {text.download}
        </button>
        {pickFolder && (
          <button type="button" onClick={() => void model.attempt(save)}>
            {text.saveFolder}
          </button>
        )}
      </div>
      <div class="columns">
        <Snippet title={text.inPage} code={PAGE} />
        <Snippet title={text.inNode} code={NODE} />
      </div>
    </div>
  )
}

type PickFolder = (options: { mode: "readwrite" }) => Promise<FileSystemDirectoryHandle>

/** Where the browser has it. */
const pickFolder: PickFolder | null =
  "showDirectoryPicker" in window ? (window.showDirectoryPicker as PickFolder).bind(window) : null

function Snippet({ title, code }: { title: string; code: string }) {
  const [copied, setCopied] = useState(false)
  const copy = () => {
    void navigator.clipboard.writeText(code).then(() => setCopied(true))
  }
  return (
    <figure class="snippet">
      <figcaption>
        {title}
        <button type="button" onClick={copy}>
          {copied ? text.copied : text.copy}
        </button>
      </figcaption>
      <pre>
        <code>{code}</code>
      </pre>
    </figure>
  )
}
