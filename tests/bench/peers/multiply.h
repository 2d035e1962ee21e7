/* multiply.h - the matrix product of the library that a program is built with: -DUSE_DNNL for oneDNN, else a CBLAS. */
#ifndef MULTIPLY_H
#define MULTIPLY_H

#include <stdbool.h>
#ifdef USE_DNNL
#include <dnnl.h>
#else
#include <cblas.h>
#endif

/* c[m][n] = beta c + alpha a b, a and b transposed where said; all row by row without gaps. */
static void multiply(bool ta, bool tb, int m, int n, int k, float alpha, const float *a, const float *b, float beta,
		     float *c)
{
	const int lda = ta ? m : k, ldb = tb ? k : n;
#ifdef USE_DNNL
	dnnl_sgemm(ta ? 'T' : 'N', tb ? 'T' : 'N', m, n, k, alpha, a, lda, b, ldb, beta, c, n);
#else
	if (m == 1 && !ta)
		cblas_sgemv(CblasRowMajor, tb ? CblasNoTrans : CblasTrans, tb ? n : k, tb ? k : n, alpha, b, ldb, a, 1,
			    beta, c, 1);
	else if (k == 1 && ta && beta == 1)
		cblas_sger(CblasRowMajor, m, n, alpha, a, 1, b, 1, c, n);
	else
		cblas_sgemm(CblasRowMajor, ta ? CblasTrans : CblasNoTrans, tb ? CblasTrans : CblasNoTrans, m, n, k,
			    alpha, a, lda, b, ldb, beta, c, n);
#endif
}

#endif
