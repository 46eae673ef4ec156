-- Added after the seed data: checked once for a whole table, keys cost a fraction of what they cost row by row.
CREATE INDEX posts_author ON posts (author_id, id);
CREATE INDEX comments_post ON comments (post_id, id);
CREATE INDEX comments_author ON comments (author_id);
CREATE INDEX comments_parent ON comments (parent_id) WHERE parent_id IS NOT NULL;
ALTER TABLE posts ADD FOREIGN KEY (author_id) REFERENCES users ON DELETE CASCADE;
ALTER TABLE comments
    ADD FOREIGN KEY (post_id) REFERENCES posts ON DELETE CASCADE,
    ADD FOREIGN KEY (author_id) REFERENCES users ON DELETE CASCADE,
    ADD FOREIGN KEY (parent_id) REFERENCES comments ON DELETE CASCADE;
