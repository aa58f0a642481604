/** Clips of the page's private files by their places, and the features that it has computed of them, in base64. */
export async function features(places) {
  const root = await (await navigator.storage.getDirectory()).getDirectoryHandle("studio")
  const [clips, features] = [await root.getDirectoryHandle("clips"), await root.getDirectoryHandle("features")]
  const names = []
  for await (const name of features.keys()) names.push(name)
  const read = async (folder, name) => {
    const bytes = new Uint8Array(await (await (await folder.getFileHandle(name)).getFile()).arrayBuffer())
    let text = ""
    for (const byte of bytes) text += String.fromCharCode(byte)
    return btoa(text)
  }
  const found = []
  names.sort()
  for (const name of places.map((place) => names[place])) {
    const id = name.split("-").slice(2).join("-")
    found.push({ file: await read(clips, id), features: await read(features, name) })
  }
  return found
}
