/** What the page's worker says first of frames: probabilities of the classes. */
export async function said({ address, bundle, files, times, pictures, width, height }) {
  const bytesOf = (coded) => Uint8Array.from(atob(coded), (letter) => letter.charCodeAt(0))
  const worker = new Worker(address, { type: "module" })
  let calls = 0
  const call = (name, ...args) =>
    new Promise((resolve, reject) => {
      const own = ++calls
      worker.addEventListener("message", ({ data }) => {
        if (data.reply !== own) return
        if (data.failure) reject(new Error(data.failure.message))
        else resolve()
      })
      worker.postMessage({ call: own, name, args })
    })
  const said = new Promise((resolve, reject) => {
    worker.addEventListener("message", ({ data: { event } }) => {
      if (event?.kind === "answer") resolve(event.answer.probabilities)
      else if (event?.kind === "ended") reject(new Error(event.failure ?? "no answer"))
    })
  })
  const [model, frame, head] = files.map(bytesOf)
  await call("load", { bundle, model, frame, head })
  await call("begin", { smoothing: 0 })
  for (const [i, picture] of pictures.map(bytesOf).entries()) {
    const data = new Uint8Array(width * height * 4)
    for (let from = 0, to = 0; from < picture.length; from += 3, to += 4) data.set(picture.subarray(from, from + 3), to)
    const rest = { layout: [], width, height, matrix: "bt601", fullRange: false }
    await call("frame", times[i], { format: "RGBA", data, ...rest })
  }
  const first = await said
  worker.terminate()
  return first
}
