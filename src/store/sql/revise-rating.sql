-- Keeps a rating's newest score and gives the one before it. $1 rating, $2 its revision, $3 its score.
WITH newest AS (INSERT INTO rating_revision (rating_id, number, score) VALUES ($1::uuid, $2::integer, $3::smallint))
SELECT score, number AS revision FROM rating_revision WHERE rating_id = $1::uuid AND number = $2::integer - 1
