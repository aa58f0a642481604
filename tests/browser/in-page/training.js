/** The page's table of trainings: updates of the checkpoint that is kept, 0 without one; `forget` empties it. */
export async function training({ forget }) {
  const asked = (request) =>
    new Promise((resolve, reject) => {
      request.onsuccess = () => resolve(request.result)
      request.onerror = () => reject(request.error)
    })
  const database = await asked(indexedDB.open("fourtier-studio"))
  const table = database.transaction("training", "readwrite").objectStore("training")
  const name = (await asked(table.getAllKeys())).find((key) => key.endsWith("/checkpoint"))
  const updates = name === undefined ? 0 : (await asked(table.get(name))).cursor.step
  if (forget) await asked(table.clear())
  database.close()
  return updates
}
