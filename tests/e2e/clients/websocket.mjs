// node websocket.mjs URL TALKS: one connection for each list of frames; tells what came, and how it was closed.
// A frame is a text that is answered, or { binary: length }, { text: length }, { wide: length }; null closes. BEARER is
// sent along.
const url = process.argv[2].replace(/^http/, "ws");
const headers = process.env.BEARER ? { authorization: `Bearer ${process.env.BEARER}` } : {};

async function talk(frames) {
  const socket = new WebSocket(url, { protocols: "mcp", headers });
  const received = [];
  let heard = () => {};
  socket.onmessage = ({ data }) => {
    received.push(JSON.parse(data));
    heard();
  };
  const closed = new Promise((resolve) => {
    socket.onclose = ({ code, reason, wasClean }) => resolve({ code, reason, wasClean });
  });
  await new Promise((resolve, reject) => Object.assign(socket, { onopen: resolve, onerror: reject }));
  for (const frame of frames) {
    if (frame === null) socket.close();
    else if (typeof frame === "string") {
      const answer = new Promise((resolve) => (heard = resolve));
      socket.send(frame);
      await Promise.race([answer, closed]);
    } else if ("binary" in frame) socket.send(new Uint8Array(frame.binary));
    else socket.send("text" in frame ? "x".repeat(frame.text) : "é".repeat(frame.wide));
  }
  return { received, closed: await closed };
}

console.log(JSON.stringify(await Promise.all(JSON.parse(process.argv[3]).map(talk))));
