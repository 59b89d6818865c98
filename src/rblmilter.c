/* The daemon's main: options, start, stop, nothing else. */
int main(void)
{
    return 0;
}
