# One image for server and worker; which of the two it is, the command says (docker-compose.yml).
FROM node:20-bookworm-slim
WORKDIR /app
# Optional packages too: sharp's and tsx's own programs are among them. Development ones write src/generated below.
COPY package.json package-lock.json .npmrc ./
RUN npm ci --no-audit --no-fund
COPY . .
# Written here, once, so that the account below needs to write to the folder of blobs only.
RUN npm run generate && mkdir /data && chown node:node /data
USER node
ENV NODE_ENV=production MINDPAINTER_DATA_DIR=/data
EXPOSE 4000
CMD ["npm", "run", "server"]
