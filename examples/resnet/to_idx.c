/* to_idx.c - CIFAR-10's binary records as two IDX files: to_idx NAME < RECORDS
 *
 * A record is a byte for the label and 3 x 32 x 32 bytes for the image. NAME-images-idx3-ubyte and
 * NAME-labels-idx1-ubyte are written, the names that nnc looks for in a folder (NAME being FOLDER/train or
 * FOLDER/t10k). */
#include <stdint.h>
#include <stdio.h>

enum { IMAGE = 3 * 32 * 32 };

static void write_number(FILE *file, uint32_t n)
{
	for (int shift = 24; shift >= 0; shift -= 8)
		putc((int)(n >> shift & 255), file);
}

/* The head of an IDX file of bytes: what it is, the number of rows, and the extents of a row. */
static void write_head(FILE *file, uint32_t rows, int rank, const uint32_t *extent)
{
	rewind(file);
	write_number(file, 0x0800u + 1u + (uint32_t)rank);
	write_number(file, rows);
	for (int i = 0; i < rank; i++)
		write_number(file, extent[i]);
}

int main(int argc, char **argv)
{
	static const uint32_t extent[] = {3, 32, 32};
	static unsigned char record[1 + IMAGE];
	char name[1000];
	size_t n;
	uint32_t rows = 0;
	if (argc != 2) {
		fprintf(stderr, "usage: to_idx NAME < RECORDS\n");
		return 2;
	}
	snprintf(name, sizeof name, "%s-images-idx3-ubyte", argv[1]);
	FILE *images = fopen(name, "wb");
	snprintf(name, sizeof name, "%s-labels-idx1-ubyte", argv[1]);
	FILE *labels = fopen(name, "wb");
	if (!images || !labels) {
		fprintf(stderr, "to_idx: cannot write %s\n", argv[1]);
		return 3;
	}
	write_head(images, 0, 3, extent);
	write_head(labels, 0, 0, extent);
	for (; (n = fread(record, 1, sizeof record, stdin)) == sizeof record; rows++) {
		putc(record[0], labels);
		fwrite(record + 1, 1, IMAGE, images);
	}
	write_head(images, rows, 3, extent); /* now the rows are known */
	write_head(labels, rows, 0, extent);
	int failed = ferror(images) || ferror(labels);
	failed = fclose(images) != 0 || failed;
	failed = fclose(labels) != 0 || failed;
	if (n || failed)
		fprintf(stderr, n ? "to_idx: %u records and %u bytes more\n" : "to_idx: cannot write the files\n",
			(unsigned)rows, (unsigned)n);
	return n ? 1 : failed ? 3 : 0;
}
