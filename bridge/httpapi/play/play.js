// A stream that broke comes back by itself.
const img = document.querySelector('img');
const src = img.src;
img.addEventListener('error', () => setTimeout(() => (img.src = `${src}&again=${Date.now()}`), 2000));
