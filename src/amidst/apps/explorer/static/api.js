// Questions to the server. Every answer is JSON; what goes wrong is an Error with the server's own sentence.

export async function ask(path, parameters = new URLSearchParams(), signal = undefined) {
  const query = parameters.toString();
  const response = await fetch(query ? `${path}?${query}` : path, { signal, headers: { Accept: "application/json" } });
  const answer = await response.json();
  if (!response.ok) throw new Error(answer.problem ?? `the server answered ${response.status}`);
  return answer;
}

export function loadImage(source) {
  return new Promise((resolve, reject) => {
    const image = new Image();
    image.decoding = "async";
    image.onload = () => resolve(image);
    image.onerror = async () => {
      // the server says in words why there is no picture
      try {
        await ask(source);
        reject(new Error("the picture cannot be shown"));
      } catch (error) {
        reject(error);
      }
    };
    image.src = source;
  });
}
