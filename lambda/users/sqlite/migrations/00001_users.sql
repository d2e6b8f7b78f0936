-- +goose Up
-- IF NOT EXISTS: a table that is already there is completed by Open instead.
CREATE TABLE IF NOT EXISTS users (
    id            INTEGER PRIMARY KEY AUTOINCREMENT, -- an id is never given out twice
    kakao_id      TEXT UNIQUE,
    google_id     TEXT UNIQUE,
    cognito_sub   TEXT UNIQUE,
    email         TEXT,
    name          TEXT,
    last_login_at TEXT, -- 2026-11-22T06:48:00.000000Z, so that text order is time order
    created_at    TEXT
);

-- +goose Down
DROP TABLE users;
