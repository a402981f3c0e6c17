from pybernetes.apiserver.main import main

main()
